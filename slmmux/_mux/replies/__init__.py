"""How a reply is read: as the request fixes it, and as the frameworks will."""
