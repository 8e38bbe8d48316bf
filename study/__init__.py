"""Recurrent neural image compression: the thin package behind the study's notebooks.

Read first, in this order: `architecture` (sizes), `layers`, `model`, `metrics`, `losses`, `evaluation`, `data` (with
`cifar`), `training`. Below them stand `ground` (paths, files, statistics, the recipe) and `experiments` (studies,
presets, runs, tables). The rest are wings: `grid` brings runs to machines, `codec` makes files of pictures, `analysis`
measures once what tables hold, `reporting` draws and prints them. Imports go one way; `pyproject.toml` has the order.
"""
