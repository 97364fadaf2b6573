"""What several figures draw of a scan: path, marks, episodes, ground, uncertainty."""
