package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// TestTagsOfPassingTables: a table that is CREATING has no tags yet, and those of one that is DELETING stay as they are.
func TestTagsOfPassingTables(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Minute})
	in := ordersInput()
	in.Tags = []api.Tag{{Key: api.Some("a"), Value: api.Some("1")}}
	out, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	arn := out.TableDescription.TableArn
	change := func() (tag, untag error) {
		_, tag = d.TagResource(t.Context(), &api.TagResourceInput{ResourceArn: arn, Tags: in.Tags})
		_, untag = d.UntagResource(t.Context(), &api.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b"}})
		return tag, untag
	}
	tag, untag := change()
	none := "Requested resource not found: ResourcArn: " + arn.Value + " not found"
	requireError(t, tag, api.ResourceNotFound, none)
	requireError(t, untag, api.ResourceNotFound, "Requested resource not found")

	d.later(time.Minute)
	tag, untag = change()
	require.NoError(t, tag)
	require.NoError(t, untag)
	// Tokens that no answer held are the first page's.
	list, err := d.ListTagsOfResource(t.Context(), &api.ListTagsOfResourceInput{ResourceArn: arn, NextToken: api.Some("none")})
	require.NoError(t, err)
	require.Equal(t, in.Tags, list.Tags)

	_, err = d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	tag, untag = change()
	const busy = "Attempt to change a resource which is still in use: Table is being deleted: orders"
	requireError(t, tag, api.ResourceInUse, busy)
	requireError(t, untag, api.ResourceInUse, busy)
}
