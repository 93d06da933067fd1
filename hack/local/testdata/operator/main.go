// Command operator implements what package local expects of Bellhop's operator.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	certs := flag.String("webhook-cert-dir", "", "")
	host := flag.String("webhook-host", "", "")
	port := flag.Int("webhook-port", 0, "")
	health := flag.String("health-probe-bind-address", "", "")
	flag.String("metrics-bind-address", "", "")
	namespace := flag.String("operator-namespace", "", "")
	fail := flag.Bool("fail", false, "")
	flag.Parse()
	fmt.Println("operator in", *namespace, "with", os.Getenv("KUBECONFIG"))
	if *fail {
		os.Exit(3)
	}

	webhooks := http.NewServeMux()
	webhooks.HandleFunc("/validate", serveReview(func(request map[string]any) map[string]any {
		name := request["object"].(map[string]any)["metadata"].(map[string]any)["name"].(string)
		return map[string]any{"allowed": !strings.HasPrefix(name, "bad"), "status": map[string]any{"message": "refused by the webhook"}}
	}))
	webhooks.HandleFunc("/convert", serveReview(func(request map[string]any) map[string]any {
		objects := request["objects"].([]any)
		for _, object := range objects {
			object.(map[string]any)["apiVersion"] = request["desiredAPIVersion"]
		}
		return map[string]any{"convertedObjects": objects, "result": map[string]any{"status": "Success"}}
	}))
	go func() {
		err := http.ListenAndServeTLS(fmt.Sprintf("%s:%d", *host, *port), filepath.Join(*certs, "tls.crt"), filepath.Join(*certs, "tls.key"), webhooks)
		fmt.Println(err)
		os.Exit(1)
	}()
	go func() {
		_ = http.ListenAndServe(*health, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}

// serveReview serves any review of Kubernetes: the response has the UID of the request.
func serveReview(respond func(map[string]any) map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review map[string]any
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		request := review["request"].(map[string]any)
		response := respond(request)
		response["uid"] = request["uid"]
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
	}
}
