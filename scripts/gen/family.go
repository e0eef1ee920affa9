package main

import (
	"slices"
	"sort"
)

// family is a group of operations whose shapes share one generated file.
type family struct {
	name       string
	operations []string
}

// families returns the groups in order: a shape belongs to the first group that reaches it.
func families() []family {
	return []family{
		{"items", []string{
			"BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan",
			"TransactGetItems", "TransactWriteItems", "UpdateItem",
		}},
		{"tables", []string{
			"CreateTable", "DeleteTable", "DescribeEndpoints", "DescribeLimits", "DescribeTable",
			"DescribeTimeToLive", "ListTables", "ListTagsOfResource", "TagResource",
			"UntagResource", "UpdateTable", "UpdateTimeToLive", "DeleteResourcePolicy",
			"GetResourcePolicy", "PutResourcePolicy",
		}},
		{"statements", []string{
			"BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction",
		}},
		{"backups", []string{
			"CreateBackup", "DeleteBackup", "DescribeBackup", "DescribeContinuousBackups",
			"ListBackups", "RestoreTableFromBackup", "RestoreTableToPointInTime",
			"UpdateContinuousBackups",
		}},
		{"transfer", []string{
			"DescribeExport", "DescribeImport", "ExportTableToPointInTime", "ImportTable",
			"ListExports", "ListImports",
		}},
		{"global", []string{
			"CreateGlobalTable", "DescribeGlobalTable", "DescribeGlobalTableSettings",
			"DescribeTableReplicaAutoScaling", "ListGlobalTables", "UpdateGlobalTable",
			"UpdateGlobalTableSettings", "UpdateTableReplicaAutoScaling",
		}},
		{"insights", []string{
			"DescribeContributorInsights", "DescribeKinesisStreamingDestination",
			"DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination",
			"ListContributorInsights", "UpdateContributorInsights",
			"UpdateKinesisStreamingDestination",
		}},
		{"bulk", []string{
			"CancelBulkOperation", "DescribeBulkOperation", "ListBulkOperations", "SearchVectors",
			"StartBulkPutItems",
		}},
		{"streams", []string{"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}},
	}
}

// group is the shapes of one family, sorted by name.
type group struct {
	name   string
	shapes []*shape
}

// groups distributes all shapes over the families.
func (m *model) groups() []group {
	seen := make(map[string]bool)
	var out []group
	for _, f := range families() {
		g := group{name: f.name}
		for _, op := range m.Operations {
			if slices.Contains(f.operations, op.Name) {
				m.collect(op.Input, seen, &g)
				m.collect(op.Output, seen, &g)
			}
		}
		if f.name == "items" {
			m.collectErrors(seen, &g)
		}
		sort.Slice(g.shapes, func(i, j int) bool { return g.shapes[i].Name < g.shapes[j].Name })
		out = append(out, g)
	}
	return out
}

func (m *model) collect(name string, seen map[string]bool, g *group) {
	s := m.shape(name)
	if s.Name == "" || s.Kind == kindValue || seen[s.Name] {
		return
	}
	seen[s.Name] = true
	g.shapes = append(g.shapes, s)
	for _, mb := range s.Members {
		m.collect(mb.Type, seen, g)
	}
	if s.Of != "" {
		m.collect(s.Of, seen, g)
	}
	if s.Key != "" {
		m.collect(s.Key, seen, g)
	}
}

// collectErrors adds what errors hold beside their text.
func (m *model) collectErrors(seen map[string]bool, g *group) {
	for _, e := range m.Errors {
		for _, mb := range e.Members {
			m.collect(mb.Type, seen, g)
		}
	}
}

// users returns, for every structure and map, the names of the structures and operations that use
// it, sorted.
func (m *model) users() map[string][]string {
	out := make(map[string][]string)
	add := func(name, user string) {
		for s := m.shape(name); ; s = m.shape(s.Of) {
			if s.Name != "" && !slices.Contains(out[s.Name], user) {
				out[s.Name] = append(out[s.Name], user)
			}
			if s.Of == "" {
				return
			}
		}
	}
	for _, s := range m.Shapes {
		for _, mb := range s.Members {
			add(mb.Type, s.Name)
		}
	}
	for _, e := range m.Errors {
		for _, mb := range e.Members {
			add(mb.Type, e.Name)
		}
	}
	for _, u := range out {
		sort.Strings(u)
	}
	return out
}
