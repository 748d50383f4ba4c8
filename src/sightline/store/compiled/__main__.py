"""`python -m sightline.store.compiled`: compile what is not compiled yet. Takes some 20 seconds, or two where all is there."""

from sightline.store.direct import compile_everything

if __name__ == "__main__":
    compile_everything()
