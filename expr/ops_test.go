package expr

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNames(t *testing.T) {
	assert.Equal(t, "begins_with", KeyBeginsWith.String())
	assert.Equal(t, "<=", KeyLE.String())
	assert.Equal(t, "?", KeyOp(200).String())
	assert.Equal(t, "?", Op(200).String())
	assert.Equal(t, "?", Action(200).String())
	assert.Equal(t, "Kind(9)", Kind(9).String())
	assert.Equal(t, msgEvalDepthForTest, evalErr(EvalDepth).Error())
}

const msgEvalDepthForTest = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
