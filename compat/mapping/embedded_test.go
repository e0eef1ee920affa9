package mapping

// Named structs that embed each other, which types made at run time cannot do as well.

// Tree contains itself.
type Tree struct {
	Left, Right *Tree `dynamodbav:",omitempty"`
	Leaves      []Tree
	Name        string
}

type (
	// Base is embedded in several.
	Base struct {
		ID   string `dynamodbav:"id"`
		Name string
		Deep
	}
	// Deep is embedded in Base.
	Deep struct {
		Level int
		Name  string `dynamodbav:"name"`
	}
	// Left and Right both embed Base.
	Left struct {
		Base
		Side string
	}
	// Right is like Left.
	Right struct {
		*Base
		Side string
	}
	hidden struct {
		Shown int
		Name  string
	}
	// Outer embeds by value, by pointer, with a name and unexported.
	Outer struct {
		Left
		*Right
		hidden
		Named Deep `dynamodbav:"nested"`
		Own   string
	}
)
