package catalog

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReplicasBeingFilledInTheOldForm: records of replicas that were being filled, in the form that did not name who does it.
func TestReplicasBeingFilledInTheOldForm(t *testing.T) {
	const form = `{"version":1,"table":{"name":"tab"},"status":%d,"untilMs":9223372036854775807,"global":{"id":"g","filling":%v,"peers":[%s]}}`
	first, last := `{"region":"first","state":"active"}`, `{"region":"last","state":"active"}`
	for _, c := range []struct {
		status  Status
		filling bool
		peers   string
		want    string
	}{
		{StatusCreating, true, first + "," + last, "last"},
		{StatusCreating, true, `{"region":"first","account":"210987654321","state":"active"},` + last, "first"},
		{StatusActive, false, first + "," + last, ""},
		{StatusDeleting, true, first + "," + last, ""},
	} {
		r, err := DecodeRecord(fmt.Appendf(nil, form, c.status, c.filling, c.peers))
		require.NoError(t, err)
		require.Equal(t, c.want, r.FillingRegion())
		b, err := r.encode()
		require.NoError(t, err)
		again, err := DecodeRecord(b)
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
}
