package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sort"
)

//go:embed model.json
var modelJSON []byte

// model is the content of model.json.
type model struct {
	Operations []operation       `json:"operations"`
	Errors     []errorShape      `json:"errors"`
	Shapes     map[string]*shape `json:"shapes"`
}

// operation is one operation of the service.
type operation struct {
	Name string `json:"name"`
	// Service is "dynamodb" or "streams": the target prefix under which clients send it.
	Service string   `json:"service"`
	Input   string   `json:"input"`
	Output  string   `json:"output"`
	Errors  []string `json:"errors"`
}

// errorShape is one exception of the service.
type errorShape struct {
	Name string `json:"name"`
	// Text is the spelling of the member that holds the text.
	Text    string   `json:"text"`
	Members []member `json:"members"`
}

// shape is a type. Scalars without any constraint have no shape: members name their kind.
type shape struct {
	Name    string   `json:"-"`
	Kind    string   `json:"kind"` // structure, list, map or the kind of a scalar
	Members []member `json:"members"`
	// Walk lists the members that constraint validation visits first, in order; the others follow
	// in the order of Members (wire-facts §3.4).
	Walk []string `json:"walk"`
	Of   string   `json:"of"`  // element of a list, value of a map
	Key  string   `json:"key"` // key of a map
	Min  *int64   `json:"min"`
	Max  *int64   `json:"max"`
	// HideOverMax leaves the value out of the text of a list that is too long (wire-facts §6.12).
	HideOverMax bool `json:"hideOverMax"`
	// Bare leaves the value out of every text, and spells the member as in the model.
	Bare    bool   `json:"bare"`
	Pattern string `json:"pattern"`
	// Enum holds the allowed strings in the order in which the service prints them (§3.3).
	Enum []string `json:"enum"`
}

// member is a member of a structure.
type member struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
}

// Names of kinds.
const (
	kindStructure = "structure"
	kindList      = "list"
	kindMap       = "map"
	kindString    = "string"
	kindInteger   = "integer"
	kindLong      = "long"
	kindDouble    = "double"
	kindBoolean   = "boolean"
	kindTimestamp = "timestamp"
	kindBlob      = "blob"

	// attributeValue has a form of its own in Go, so the model does not describe it.
	attributeValue = "AttributeValue"
	kindValue      = "value"
)

// kinds are the scalars that members may name directly.
func isScalar(kind string) bool {
	switch kind {
	case kindString, kindInteger, kindLong, kindDouble, kindBoolean, kindTimestamp, kindBlob:
		return true
	}
	return false
}

// loadModel reads a model and checks that it is closed: every name used is described.
func loadModel(text []byte) (*model, error) {
	m := &model{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("model.json: %w", err)
	}
	for name, s := range m.Shapes {
		s.Name = name
		if err := m.checkShape(s); err != nil {
			return nil, fmt.Errorf("model.json: shape %s: %w", name, err)
		}
	}
	for _, op := range m.Operations {
		for _, n := range []string{op.Input, op.Output} {
			if s := m.Shapes[n]; s == nil || s.Kind != kindStructure {
				return nil, fmt.Errorf("model.json: %s: no structure %q", op.Name, n)
			}
		}
	}
	sort.Slice(m.Operations, func(i, j int) bool {
		return m.Operations[i].Name < m.Operations[j].Name
	})
	return m, nil
}

func (m *model) checkShape(s *shape) error {
	names := make(map[string]bool)
	for _, mb := range s.Members {
		names[mb.Name] = true
		if _, err := m.resolve(mb.Type); err != nil {
			return err
		}
	}
	for _, w := range s.Walk {
		if !names[w] {
			return fmt.Errorf("walk names %q, which is no member", w)
		}
	}
	for _, n := range []string{s.Of, s.Key} {
		if n == "" {
			continue
		}
		if _, err := m.resolve(n); err != nil {
			return err
		}
	}
	if s.Kind != kindStructure && s.Kind != kindList && s.Kind != kindMap && !isScalar(s.Kind) {
		return fmt.Errorf("unknown kind %q", s.Kind)
	}
	return nil
}

// resolve returns the shape of a type name; a bare scalar kind gives a shape without constraints.
func (m *model) resolve(name string) (*shape, error) {
	if name == attributeValue {
		return &shape{Name: name, Kind: kindValue}, nil
	}
	if isScalar(name) {
		return &shape{Kind: name}, nil
	}
	if s := m.Shapes[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("type %q is not described", name)
}

// shape is resolve for a model that loadModel has checked.
func (m *model) shape(name string) *shape {
	s, err := m.resolve(name)
	if err != nil {
		panic(err) // loadModel has resolved every name: a bug of the generator
	}
	return s
}

// walkOrder returns the indexes of the members in the order of constraint validation.
func (s *shape) walkOrder() []int {
	order := make([]int, 0, len(s.Members))
	seen := make(map[string]bool)
	for _, w := range s.Walk {
		for i, mb := range s.Members {
			if mb.Name == w {
				order, seen[w] = append(order, i), true
			}
		}
	}
	for i, mb := range s.Members {
		if !seen[mb.Name] {
			order = append(order, i)
		}
	}
	return order
}

// Forms of a map in Go.
const (
	mapItem   = "item"   // attr.Item
	mapNames  = "names"  // []Name
	mapValues = "values" // []NamedValue
	mapSlice  = "slice"  // []XEntry
)

// mapForm says how a map appears in the contract.
func mapForm(s *shape) string {
	switch {
	case s.Name == "ExpressionAttributeNameMap":
		return mapNames
	case s.Name == "ExpressionAttributeValueMap":
		return mapValues
	case s.Of == attributeValue:
		return mapItem
	}
	return mapSlice
}

// holdsValues says whether attribute values can appear in a type.
func (m *model) holdsValues(name string) bool {
	s := m.shape(name)
	switch s.Kind {
	case kindValue:
		return true
	case kindList, kindMap:
		return m.holdsValues(s.Of)
	case kindStructure:
		for _, mb := range s.Members {
			if m.holdsValues(mb.Type) {
				return true
			}
		}
	}
	return false
}
