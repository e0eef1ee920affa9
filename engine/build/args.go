package build

import (
	"maps"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Args says what the placeholders of a text stand for: with '#', the name of an attribute, a string;
// with ':' or without a sign, a value of any type.
//
//	build.Args{"#s": "status", ":p": 5, "q": order.Total} // #s, :p and :q
type Args map[string]any

// given is Args encoded.
type given struct {
	names  []api.Name
	values []api.NamedValue
}

// takeArgs encodes the arguments of a text.
func takeArgs(args []Args) (given, error) {
	var g given
	for _, a := range args {
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if err := g.take(name, a[name]); err != nil {
				return given{}, err
			}
		}
	}
	return g, nil
}

func (g *given) take(name string, v any) error {
	sign := ":"
	if name != "" && (name[0] == '#' || name[0] == ':') {
		sign, name = name[:1], name[1:]
	}
	placeholder := sign + name
	if strings.HasPrefix(name, ownPrefix) {
		return invalid(msgArgReserved, placeholder)
	}
	if sign == "#" {
		attribute, ok := v.(string)
		if !ok {
			return invalid(msgArgName, placeholder, v)
		}
		return g.addName(api.Name{Placeholder: placeholder, Name: attribute})
	}
	value, err := toValue(v)
	if err != nil {
		return err
	}
	return g.addValue(api.NamedValue{Placeholder: placeholder, Value: value})
}

// addName adds a placeholder; it may come again if it stands for the same.
func (g *given) addName(n api.Name) error {
	for _, have := range g.names {
		if have.Placeholder == n.Placeholder {
			if have.Name != n.Name {
				return invalid(msgArgsTwice, n.Placeholder)
			}
			return nil
		}
	}
	g.names = append(g.names, n)
	return nil
}

func (g *given) addValue(n api.NamedValue) error {
	for _, have := range g.values {
		if have.Placeholder == n.Placeholder {
			if !attr.Equal(have.Value, n.Value) {
				return invalid(msgArgsTwice, n.Placeholder)
			}
			return nil
		}
	}
	g.values = append(g.values, n)
	return nil
}
