package api_test

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine/api"
)

// A service that is somewhere else is one function.
func ExampleForward() {
	svc := api.Forward{Do: func(_ context.Context, operation string, in, out any) error {
		fmt.Printf("%s with %T\n", operation, in)
		if tables, ok := out.(*api.ListTablesOutput); ok {
			tables.TableNames = []string{"Orders"}
			return nil
		}
		return api.Errorf(api.ResourceNotFound, "Requested resource not found")
	}}
	tables, err := svc.ListTables(context.Background(), &api.ListTablesInput{})
	fmt.Println(tables.TableNames, err)
	_, err = svc.GetItem(context.Background(), &api.GetItemInput{})
	fmt.Println(err)
	// Output:
	// ListTables with *api.ListTablesInput
	// [Orders] <nil>
	// GetItem with *api.GetItemInput
	// ResourceNotFoundException: Requested resource not found
}
