"""Icons: strokes on a 24 by 24 grid in black, drawn in the colours of the theme by app.icons."""
