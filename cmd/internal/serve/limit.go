package serve

import (
	"net"
	"sync"

	"github.com/rs/zerolog"
)

// reservedFiles is how many open files are left for the database and the process itself.
const reservedFiles = 128

// limiter bounds the connections of all listeners together. At the limit new clients wait in the
// system's queue until a connection ends, of which idle ones end by time-out.
type limiter struct {
	slots  chan struct{}
	logger zerolog.Logger
	once   sync.Once
}

// newLimiter bounds connections to most, or to what the system's limit of open files leaves room for.
func newLimiter(most int, logger zerolog.Logger) *limiter {
	if files, ok := openFilesMax(); ok && files < uint64(most+reservedFiles) {
		fit := max(1, int(files)-reservedFiles)
		logger.Warn().Int("max_connections", fit).Uint64("open_files", files).
			Msg("the limit of open files is too low for --max-connections: raise it with ulimit -n")
		most = fit
	}
	return &limiter{slots: make(chan struct{}, most), logger: logger}
}

// bound puts the limit on listeners.
func (m *limiter) bound(listeners []net.Listener) []net.Listener {
	out := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		out[i] = &boundListener{Listener: l, limiter: m, closed: make(chan struct{})}
	}
	return out
}

// take waits for a free slot; false says that the listener was closed meanwhile.
func (m *limiter) take(closed <-chan struct{}) bool {
	select {
	case m.slots <- struct{}{}:
		return true
	default:
	}
	m.once.Do(func() {
		m.logger.Warn().Int("max_connections", cap(m.slots)).Msg("all connections are in use: new clients wait")
	})
	select {
	case m.slots <- struct{}{}:
		return true
	case <-closed:
		return false
	}
}

type boundListener struct {
	net.Listener
	limiter *limiter
	closed  chan struct{}
	once    sync.Once
}

func (l *boundListener) Accept() (net.Conn, error) {
	if !l.limiter.take(l.closed) {
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.limiter.slots
		return nil, err
	}
	release := sync.OnceFunc(func() { <-l.limiter.slots })
	if tcp, ok := c.(*net.TCPConn); ok {
		return &boundTCP{TCPConn: tcp, release: release}, nil
	}
	return &boundConn{Conn: c, release: release}, nil
}

func (l *boundListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundConn struct {
	net.Conn
	release func()
}

func (c *boundConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
