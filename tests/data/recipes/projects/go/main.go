// Says what a vendored module says, on this platform and with its own time zones.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"example.test/greet"
)

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	file, err := os.CreateTemp("", "shop")
	if err != nil {
		panic(err)
	}
	os.Remove(file.Name())
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, greet.Hello, zone) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
