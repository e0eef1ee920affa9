// Doorbench says what the doors cost: the server's processor time for an answer over gRPC, beside bare
// gRPC servers that do no work and beside the HTTP door, all in the same run and on the same items.
//
//	go run ./cmd/internal/doorbench                 # Get and Put, 1, 8 and 64 at once: about 90 seconds
//	go run ./cmd/internal/doorbench -profile cpu -inflight 8
//	go run ./cmd/internal/doorbench feed            # Subscribe: records a second, time to delivery
//	go run ./cmd/internal/doorbench memory          # a scan of 1,000,000 items: rate and memory
//
// Servers are processes of their own: this program once more. The client is cheap: it sends bytes that
// were made before and looks at the length of answers. The figure to go by is the ratio of processor
// time, which the client and a busy machine disturb least; it is read from /proc, so on systems without
// it only rates are told. Targets take turns within a round; ratios are taken within rounds, and their
// median is printed.
//
// The servers:
//
//	echo    grpc-go with as many goroutines that wait for calls and default options otherwise; a message
//	        of one bytes field each way, of the same sizes
//	typed   the same with the generated types of the protocol, which decode to maps; constant answers
//	grpc    kstone serve over gRPC, in memory
//	http    kstone serve over HTTP, in memory
package main
