"""The tables of a report, as columns; `makers.MAKERS` names them all."""
