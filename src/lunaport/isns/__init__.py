"""iSNS (RFC 4171), as far as a target needs it: registering its portals and targets with name servers.

Knows nothing of the rest of Lunaport. `message` and `attribute` are the codec, `entity` what is registered, `client`
a conversation with a server and `calls` the answers to a server that calls us, all without I/O or clock; `transport`
moves the messages, `schedule` says when, `keeper` keeps one server up to date.
"""
