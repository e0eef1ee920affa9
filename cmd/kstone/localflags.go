package main

import (
	"path/filepath"
	"strings"
	"time"
)

// databaseFile is the name of the file that -dbPath DIR means.
const databaseFile = "kstone.keystone"

// transientDelay is what -delayTransientStatuses means: long enough for a program that does not wait
// for ACTIVE to notice, short enough not to be a nuisance.
const transientDelay = time.Second

// localFlag is a flag of the local substitutes for the service, spelled with one dash.
type localFlag struct {
	takesValue bool
	// replace gives our own arguments; nil means that the flag is accepted and ignored with a warning.
	replace func(value string) []string
}

func localFlags() map[string]localFlag {
	nothing := func(string) []string { return nil }
	return map[string]localFlag{
		"port":                   {true, func(v string) []string { return []string{"--port=" + v} }},
		"inMemory":               {false, func(string) []string { return []string{"--in-memory"} }},
		"dbPath":                 {true, func(v string) []string { return []string{"--db=" + filepath.Join(v, databaseFile)} }},
		"delayTransientStatuses": {false, func(string) []string { return []string{"--table-delay=" + transientDelay.String()} }},
		"help":                   {false, func(string) []string { return []string{"--help"} }},
		// One database serves every key and region anyway.
		"sharedDb":                {false, nothing},
		"jar":                     {true, nil},
		"cors":                    {true, nil},
		"optimizeDbBeforeStartup": {false, nil},
		"disableTelemetry":        {false, nil},
	}
}

// translateLocalFlags turns the single-dash flags into ours and puts `serve` before flags that have
// no sub-command. It also returns the flags that are accepted but ignored. A compose file thus
// changes only its image.
func translateLocalFlags(args []string) (out, ignored []string) {
	if len(args) == 0 {
		return args, nil
	}
	rest := args
	switch {
	case args[0] == "serve":
		rest = args[1:]
	case args[0] == "-version":
		return []string{"version"}, nil
	case !strings.HasPrefix(args[0], "-") || isRootFlag(args[0]):
		return args, nil
	}
	known := localFlags()
	out = []string{"serve"}
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		flag, ok := known[name]
		switch {
		case strings.HasPrefix(arg, "-Djava.") || strings.HasPrefix(arg, "-Xm"):
			ignored = append(ignored, arg) // options of a Java machine before -jar
			continue
		case !ok || !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--port"):
			out = append(out, arg)
			continue
		}
		if flag.takesValue && !hasValue && i+1 < len(rest) {
			i++
			value = rest[i]
		}
		if flag.replace == nil {
			ignored = append(ignored, "-"+name)
			continue
		}
		out = append(out, flag.replace(value)...)
	}
	return out, ignored
}

// isRootFlag says whether the flag belongs to the program and not to serve.
func isRootFlag(arg string) bool {
	switch arg {
	case "-h", "--help", "-v", "--version":
		return true
	}
	return false
}
