// Command inbox is a receiver for end-to-end tests: it answers every request with 204 and prints its body on a line.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	flag.Parse()
	server := &http.Server{Addr: *address, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(receive)}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Printf("%s %s %q\n", r.Method, r.URL.Path, body)
	w.WriteHeader(http.StatusNoContent)
}
