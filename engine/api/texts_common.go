package api

// MsgNotBuilt answers an operation that the contract knows and this version does not serve. Ours:
// the service serves every operation that it knows.
const MsgNotBuilt = "The operation %s is known and not part of this version"
