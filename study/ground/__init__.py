"""What everything else stands on: paths, whole files, pictures, statistics, the recipe, the one error."""
