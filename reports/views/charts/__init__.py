"""Chart descriptions: titles, axes and series, drawn by the page and by the PNG files."""
