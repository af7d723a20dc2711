"""Fetch DICOM series from public archives: verified by a frozen manifest, or not there at all.

One concern a file: `http` and `patience` (requests, retries); `s3`, `nbia` and `tree` (the kinds of sources); `series`
(the manifest); `verify` (what a good series is); `staging` (the half-fetched); `pack` and `receipt` (the result);
`disk`; `progress`; `fetch` (the sources in order).
"""
