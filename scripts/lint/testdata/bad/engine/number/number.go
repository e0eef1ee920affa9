package number

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/keystone-db/kstone/engine/attr"
)

func init() {}

type Exported struct{}

func (Exported) Method() {}

var Now = time.Now()

// TODO: write this.
func calls() {
	fmt.Println(rand.IntN(5), attr.Item(nil), dynamodb.Client{})
	log.Fatal("no")
	os.Exit(1) //nolint
	time.Sleep(1) //nolint:clock // allowed, so that the test sees an exemption work
}
