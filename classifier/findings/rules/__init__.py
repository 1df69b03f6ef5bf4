"""One rule per module, each with a `RULE` (`findings.model.Rule`); `findings.catalog` finds them by being here."""
