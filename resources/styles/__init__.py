"""The stylesheet of the window; app.theme fills in its colours and sizes."""
