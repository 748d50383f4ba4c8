"""Data models: hierarchies of datasets over events. `definition` reads them, `dataset` makes a search of each dataset."""
