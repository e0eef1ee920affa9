package grpcapi

import "time"

// BoundAnswers sets the bounds of answers.
func (m *Messages) BoundAnswers(most, total int64, wait time.Duration) {
	m.answers.most, m.answers.total, m.answers.wait, m.answers.pageWait = most, total, wait, wait
}

// AnswerBytes is what answers of all connections take, and how many calls wait for room.
func (m *Messages) AnswerBytes() (used, waiting int64) {
	waiting = m.answers.waiting.Load() // first: who no longer waits uses
	return m.answers.used.Load(), waiting
}
