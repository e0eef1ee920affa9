package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// TestRecordsFastPathAgrees: what the checks by hand let through, the tables let through too, and they
// know each limit (wire-facts §7).
func TestRecordsFastPathAgrees(t *testing.T) {
	iterators := map[api.Opt[string]]bool{
		{}: false, str(""): false, str("a"): true,
		str(strings.Repeat("x", iteratorLengthMax)): true, str(strings.Repeat("x", iteratorLengthMax+1)): false,
	}
	limits := map[api.Opt[int64]]bool{
		{}: true, num(-1): false, num(0): false, num(1): true, num(recordsMax): true, num(recordsMax + 1): false,
	}
	for iterator, goodIterator := range iterators {
		for limit, goodLimit := range limits {
			in := &api.GetRecordsInput{ShardIterator: iterator, Limit: limit}
			good := goodIterator && goodLimit
			require.Equal(t, good, fitsGetRecords(in), "%+v", in)
			require.Equal(t, good, Constraints(opGetRecords, in) == nil, "%+v", in)
			require.Equal(t, good, GetRecords(in, Options{}) == nil, "%+v", in)
		}
	}
	in := &api.GetRecordsInput{ShardIterator: str("a"), Limit: num(1)}
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = GetRecords(in, Options{}) }))
}
