package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// healthTimeout bounds one health check; Docker's own default is 30 s.
	healthTimeout = 5 * time.Second
	// healthBytesMax is how much of an answer is read.
	healthBytesMax = 4 << 10
)

func newHealth() *cobra.Command {
	return &cobra.Command{
		Use:   "health URL",
		Short: "Exit 0 if the server at URL answers well, else 1",
		Long: "Exit 0 if the server at URL answers with status 200, else 1.\n" +
			"Without a path, /healthz is asked. For container health checks, where there is no curl.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("health wants one URL, such as http://localhost:8000")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return checkHealth(cmd.OutOrStdout(), args[0])
		},
	}
}

func checkHealth(out io.Writer, target string) error {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return fmt.Errorf("health: %q is no URL: give one such as http://localhost:8000", target)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/healthz"
	}
	client := &http.Client{Timeout: healthTimeout}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		// The certificate is for the name by which others reach the server.
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	answer, err := client.Get(u.String())
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, healthBytesMax))
	text := strings.TrimSpace(string(body))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s answered %s: %s", u, answer.Status, text)
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
