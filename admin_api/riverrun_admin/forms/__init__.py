"""What the buttons of the pages do: a POST, one action, and back to a page with a sentence about it.

Only a page of ours gets this far: the door has looked at Origin and Sec-Fetch-Site.
"""
