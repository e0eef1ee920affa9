package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is a server that runs as a child.
type process struct {
	cmd        *exec.Cmd
	stop       func() error
	grpc, http string // addresses
}

// start starts this program as a server, which runs until its stdin ends.
func start(ctx context.Context, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stop: func() error {
		_ = in.Close()
		return cmd.Wait()
	}}
	line, err := bufio.NewReader(out).ReadString('\n')
	if addresses := strings.Fields(line); err == nil && len(addresses) == 2 {
		p.grpc, p.http = addresses[0], addresses[1]
		return p, nil
	}
	return nil, fmt.Errorf("a server did not start: %v, %v", err, p.stop())
}

// tick is the unit of processor time in /proc.
const tick = 10 * time.Millisecond

// cpu is the processor time that the process has used, 0 where the system does not tell.
func (p *process) cpu() time.Duration {
	const user, system = 11, 12 // fields behind the name, which may have spaces
	stat, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	sum := 0
	for _, at := range []int{user, system} {
		n, err := strconv.Atoi(string(fields[at]))
		if err != nil {
			return 0
		}
		sum += n
	}
	return time.Duration(sum) * tick
}

// anonymous is the memory of the process that is not of files, in bytes; 0 where the system does not
// tell.
func (p *process) anonymous() int64 {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

func (p *process) proc(file string) string {
	return "/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/" + file
}
