package serve

import (
	"net/http"
	"strconv"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

const (
	// InsightsPath answers the keys of a table that were asked for most, of those that contributor insights
	// count: ?table=NAME&index=NAME&n=10. The service shows them in CloudWatch.
	InsightsPath = "/_kstone/insights"
	// insightsKeys is the number of keys of each rule when none is asked for, insightsKeysMax the largest.
	insightsKeys    = 10
	insightsKeysMax = 1000
)

// keyInsights serves InsightsPath.
type keyInsights struct {
	db       *engine.DB
	verifier *sigv4.Verifier // nil accepts any credentials
}

func (k *keyInsights) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "GET "+InsightsPath+"?table=NAME", http.StatusMethodNotAllowed)
		return
	}
	if err := unrestricted(k.verifier, r, "see all keys"); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	query := r.URL.Query()
	n := insightsKeys
	if text := query.Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > insightsKeysMax {
			http.Error(w, "n: want a number from 1 to "+strconv.Itoa(insightsKeysMax), http.StatusBadRequest)
			return
		}
	}
	counts, err := k.db.ContributorInsights(r.Context(), query.Get("table"), query.Get("index"), n)
	switch {
	case api.CodeOf(err) == api.ResourceNotFound:
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(appendCounts(nil, counts)) // the client is gone: nobody to tell
}

// appendCounts writes a list of rules with their keys as DynamoDB JSON.
func appendCounts(dst []byte, counts []engine.KeyCounts) []byte {
	dst = append(dst, '[')
	for i := range counts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendQuote(append(dst, `{"Rule":`...), counts[i].Rule), `,"Total":`...)
		dst = append(strconv.AppendUint(dst, counts[i].Total, 10), `,"Keys":[`...)
		for j, e := range counts[i].Keys {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(codec.AppendItem(append(dst, `{"Key":`...), e.Key), `,"Count":`...)
			dst = append(strconv.AppendUint(dst, e.Count, 10), `,"Over":`...)
			dst = append(strconv.AppendUint(dst, e.Over, 10), '}')
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, "]\n"...)
}
