"""Apps over HTTP: an archive comes in, the catalog's objects go out as one."""

import io
import tarfile

APP = {
    "shop/default/macros.conf": b"[shop]\ndefinition = index=shop\n",
    "shop/default/savedsearches.conf": b"[by city]\nsearch = `shop` | stats count by city\n[never]\nsearch = x | holtwinters\n",
    "shop/lookups/cities.csv": b"city,region\nAsti,Piemonte\n",
    "../outside.conf": b"x",
}


def archive(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_an_app_comes_in_once_and_goes_out_again(ada, bob, parts):
    body = archive(APP)
    assert bob.post("/api/v1/apps/import", content=body).status_code == 403
    assert bob.get("/api/v1/apps/export").status_code == 403
    told = ada.post("/api/v1/apps/import?dry_run=true", content=body).json()
    assert parts.catalog.macros.find("shop", 0) is None
    done = ada.post("/api/v1/apps/import", content=body)
    assert done.status_code == 200 and done.json() == told
    counts = done.json()["counts"]
    assert counts["macros"]["created"] == counts["lookups"]["created"] == counts["saved searches"]["created"] == 1
    assert [(n["name"], n["text"]) for n in done.json()["skipped"]] == [("never", 'there is no command "holtwinters"')]
    assert len(done.json()["problems"]) == 1
    assert parts.catalog.searches.find("by city").owner == "ada"
    again = ada.post("/api/v1/apps/import", content=body).json()
    assert all(count["created"] == count["updated"] == 0 for count in again["counts"].values())
    out = ada.get("/api/v1/apps/export?app=shop")
    with tarfile.open(fileobj=io.BytesIO(out.content), mode="r:gz") as tar:
        assert set(tar.getnames()) >= {
            "shop/default/macros.conf",
            "shop/default/savedsearches.conf",
            "shop/default/app.conf",
        }
        assert tar.extractfile("shop/default/macros.conf").read() == APP["shop/default/macros.conf"]
    assert ada.get("/api/v1/apps/export?app=nothing").status_code == 400
    assert list((parts.directory.run / "uploads").glob("*")) == []


def test_what_is_no_archive_or_has_no_name_is_told(ada):
    answer = ada.post("/api/v1/apps/import", content=b"\x1f\x8bnonsense").json()
    assert len(answer["problems"]) == 1 and not any(any(c.values()) for c in answer["counts"].values())
    refused = ada.post("/api/v1/apps/import?app=../x", content=archive(APP))
    assert refused.status_code == 400 and "app name" in refused.json()["error"]["message"]
    named = ada.post(
        "/api/v1/apps/import?name=../../up", content=archive({"default/macros.conf": b"[up]\ndefinition = x\n"})
    )
    assert named.status_code == 200 and named.json()["counts"]["macros"]["created"] == 1
