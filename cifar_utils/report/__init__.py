"""The pages and figures that tell the study, made from the records in results/ alone."""
