// Package crash kills a real kstone process under load and looks at what is left.
//
// Each cycle starts the built binary on the same file, checks everything that earlier processes
// acknowledged, drives load over HTTP from several clients, sends SIGKILL at a random moment and
// goes on. It speaks the JSON protocol through net/http alone, so that neither the SDK's retries
// nor ours hide an answer.
//
// What is checked after every kill: each acknowledged write is there (and nothing that was never
// sent); a transaction is whole or absent; a transaction that was sent again with its token after
// the kill has run once in all. A consumer of the table's stream goes on behind its last record after
// each kill, and finds every change of every item in order, once.
package crash
