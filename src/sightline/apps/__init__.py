"""Moving in from Splunk: what a path holds, which of its searches run here, and bringing them into the catalog.

Hidden here: archives and folders, Splunk's files (configuration, Simple XML, packs of detections), how macros and dashboard
tokens are filled for a trial, and how objects are mapped onto the catalog's. Enters a path; leave `Contents` (what was found),
`Report` (which searches run, and why others do not) and `Outcome` (what an import did). Nothing is executed or unpacked to
disk, and a bad file is told and passed over.
"""
