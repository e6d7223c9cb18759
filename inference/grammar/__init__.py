"""Output that follows a grammar: JSON, a JSON schema, an expression or a Lark grammar."""
