package main

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is the time between two lines.
const progressEvery = 500 * time.Millisecond

// progressBar tells on stderr how far long work is: on a terminal in one line that is written over,
// else a line each time.
type progressBar struct {
	out      io.Writer
	terminal bool
	last     time.Time
	begin    time.Time
	step     string
	written  bool
}

// newProgress returns nil where nobody wants to know: out is no terminal, and force is false.
func newProgress(out io.Writer, force bool) *progressBar {
	_, terminal := terminalWidth(out)
	if !terminal && !force {
		return nil
	}
	return &progressBar{out: out, terminal: terminal}
}

// show is called as often as one likes, by one goroutine at a time.
func (p *progressBar) show(step string, done, total int64) {
	now := time.Now()
	if step != p.step {
		p.step, p.begin = step, now
	}
	if now.Sub(p.last) < progressEvery || total <= 0 {
		return
	}
	p.last = now
	line := fmt.Sprintf("%s: %d %%", step, done*100/total)
	if gone := now.Sub(p.begin); done > 0 && gone > 2*progressEvery {
		left := time.Duration(float64(gone) * float64(total-done) / float64(done))
		line += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	p.written = true
	fmt.Fprintf(p.out, "\r\x1b[K%s", line)
}

// end takes the line away.
func (p *progressBar) end() {
	if p.written {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
