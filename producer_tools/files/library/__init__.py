"""The directory of saved files: their names, their index, their tags, stems."""
