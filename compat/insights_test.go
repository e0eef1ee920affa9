package compat

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
)

// TestContributorInsights: keys are really counted, and whoever may see all of them can ask.
func TestContributorInsights(t *testing.T) {
	ctx := t.Context()
	s := newServer(t, "--in-memory")
	db := newClient(s.url)
	table := aws.String("Watched")
	_, err := db.CreateTable(ctx, tableInput(*table, "pk:S"))
	require.NoError(t, err)
	_, err = db.UpdateContributorInsights(ctx, &dynamodb.UpdateContributorInsightsInput{
		TableName: table, ContributorInsightsAction: types.ContributorInsightsActionEnable,
	})
	require.NoError(t, err)
	require.NoError(t, dynamodb.NewContributorInsightsEnabledWaiter(db).Wait(ctx,
		&dynamodb.DescribeContributorInsightsInput{TableName: table}, waitMax))
	for range 3 {
		_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item{"pk": str("hot")}})
		require.NoError(t, err)
	}
	listed, err := db.ListContributorInsights(ctx, &dynamodb.ListContributorInsightsInput{TableName: table})
	require.NoError(t, err)
	require.Equal(t, types.ContributorInsightsStatusEnabled, listed.ContributorInsightsSummaries[0].ContributorInsightsStatus)

	answer, err := http.Get(s.url + "/_kstone/insights?table=Watched&n=1")
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	var rules []struct {
		Rule  string
		Total int
		Keys  []struct {
			Key         map[string]map[string]string
			Count, Over int
		}
	}
	require.NoError(t, json.Unmarshal(body, &rules), string(body))
	require.Len(t, rules, 2)
	require.Equal(t, 3, rules[0].Total)
	require.Equal(t, "hot", rules[0].Keys[0].Key["pk"]["S"])
	require.Equal(t, 3, rules[0].Keys[0].Count)
	for query, want := range map[string]int{"?table=none": http.StatusNotFound, "?table=Watched&n=0": http.StatusBadRequest} {
		answer, err := http.Get(s.url + "/_kstone/insights" + query)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode)
	}
	_, err = db.DescribeContributorInsights(ctx, &dynamodb.DescribeContributorInsightsInput{TableName: table, IndexName: aws.String("none")})
	require.ErrorContains(t, err, "ResourceNotFoundException")
}
