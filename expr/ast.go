package expr

import "github.com/keystone-db/kstone/engine/attr"

// Node is an element of a parsed expression. The set of nodes is sealed. A tree is immutable
// once one of the New…Tree functions has taken it, and may then be shared between goroutines.
type Node interface {
	// Pos is the byte offset in the text, 0 for trees built without one.
	Pos() int
	// String prints the node as text that parses into an equal node (literals excepted: the
	// language has none).
	String() string
	sealed()
}

// Cond is a node that is true or false.
type Cond interface {
	Node
	cond()
}

// Operand is a node that has a value, or none.
type Operand interface {
	Node
	operand()
}

// At is the position of a node in the text; nodes embed it.
type At int

// Pos returns the byte offset in the text.
func (a At) Pos() int { return int(a) }

func (At) sealed() {}

// Op is an operator or, in a Call, a function.
type Op uint8

// The operators and functions of the languages.
const (
	OpNone Op = iota
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpBetween
	OpIn
	OpAnd
	OpOr
	OpNot
	OpPlus
	OpMinus
	FnAttributeExists
	FnAttributeNotExists
	FnAttributeType
	FnBeginsWith
	FnContains
	FnSize
	FnIfNotExists
	FnListAppend

	opCount = iota
)

// opNames has the operators and functions as they are written and as errors name them.
var opNames = [opCount]string{
	OpNone: "?", OpEq: "=", OpNe: "<>", OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=",
	OpBetween: "BETWEEN", OpIn: "IN", OpAnd: "AND", OpOr: "OR", OpNot: "NOT",
	OpPlus: "+", OpMinus: "-",
	FnAttributeExists: "attribute_exists", FnAttributeNotExists: "attribute_not_exists",
	FnAttributeType: "attribute_type", FnBeginsWith: "begins_with", FnContains: "contains",
	FnSize: "size", FnIfNotExists: "if_not_exists", FnListAppend: "list_append",
}

// String returns the operator as it is written.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return opNames[OpNone]
}

// isBoolean tells whether a call of the function is a condition rather than a value.
func (o Op) isBoolean() bool { return FnAttributeExists <= o && o <= FnContains }

// arity returns the number of operands of a function.
func (o Op) arity() int {
	switch o {
	case FnAttributeExists, FnAttributeNotExists, FnSize:
		return 1
	default:
		return 2
	}
}

// And is true when all Terms are; it has at least two.
type And struct {
	At
	Terms []Cond
}

// Or is true when one of Terms is; it has at least two.
type Or struct {
	At
	Terms []Cond
}

// Not negates Term.
type Not struct {
	At
	Term Cond
}

// Compare is Left Op Right with one of OpEq … OpGe.
type Compare struct {
	At
	Op          Op
	Left, Right Operand
}

// Between is X BETWEEN Lo AND Hi, bounds included.
type Between struct {
	At
	X, Lo, Hi Operand
}

// In is X IN (List…).
type In struct {
	At
	X    Operand
	List []Operand
	// sorted has the values of a long List of scalars of one type in their order; else nil.
	sorted []attr.Value
}

// Call is a function. The boolean ones are conditions, the others operands; the parser and the
// binder refuse a call in the wrong place.
type Call struct {
	At
	Fn   Op
	Args []Operand
}

// Arith is Left + Right or Left - Right in an update.
type Arith struct {
	At
	Op          Op
	Left, Right Operand
}

// ValueRef is a :placeholder.
type ValueRef struct {
	At
	Name string // with the colon
	slot int    // index in the tree's list of value placeholders
}

// Literal is a value inside the tree, for languages that have literals. The tree keeps Value.
type Literal struct {
	At
	Value attr.Value
}

// DocPath is a document path; Elems is not empty and begins with a name.
type DocPath struct {
	At
	Elems []PathElem
}

// ElemKind is the form of a path element.
type ElemKind uint8

// The forms of a path element.
const (
	ElemName        ElemKind = iota // an attribute name as it is
	ElemPlaceholder                 // a #placeholder for a name
	ElemIndex                       // a list index
)

// PathElem is one element of a document path.
type PathElem struct {
	Kind  ElemKind
	Name  string // attribute name, or placeholder with its '#'
	Index int    // of ElemIndex, 0 … ListIndexMax
	At    int    // byte offset in the text
	slot  int    // of ElemPlaceholder: index in the tree's list of name placeholders
}

// Action is what an update does at a path.
type Action uint8

// The actions, one a clause.
const (
	ActionSet Action = iota
	ActionRemove
	ActionAdd
	ActionDelete

	actionCount = iota
)

var actionNames = [actionCount]string{
	ActionSet: "SET", ActionRemove: "REMOVE", ActionAdd: "ADD", ActionDelete: "DELETE",
}

// String returns the clause's keyword.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "?"
}

// Clause is one action at one path.
type Clause struct {
	At
	Action Action
	Path   *DocPath
	// Value is what is set, added or deleted: any Operand for SET, a ValueRef or Literal for ADD
	// and DELETE, nil for REMOVE.
	Value Operand
}

func (*And) cond()     {}
func (*Or) cond()      {}
func (*Not) cond()     {}
func (*Compare) cond() {}
func (*Between) cond() {}
func (*In) cond()      {}
func (*Call) cond()    {}

func (*Call) operand()     {}
func (*Arith) operand()    {}
func (*ValueRef) operand() {}
func (*Literal) operand()  {}
func (*DocPath) operand()  {}
