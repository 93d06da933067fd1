// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// answer replaces the answer to a call.
type answer struct {
	// acts: the request is carried out first.
	acts bool
	// accepts: the request is carried out first, as the answer implies that it was accepted.
	accepts bool
	// removes: a DELETE is carried out first, as the answer says that the resource is gone.
	removes bool
	// write sends the answer; nil: the connection is closed.
	write http.HandlerFunc
}

// RespondWith returns a handler that writes a status code, a JSON body and headers, which are pairs of name and value.
func RespondWith(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// hang does not answer until the client closes the connection.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// apiError returns an error in the format of the API server.
func apiError(code int, reason, message string, header ...string) http.HandlerFunc {
	return RespondWith(code, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"`+reason+`","message":"`+message+`","code":`+strconv.Itoa(code)+`}`, header...)
}

// apiAnswers replace answers of the API server.
var apiAnswers = map[string]answer{
	"api-reset":       {},
	"api-lost":        {acts: true},
	"api-timeout":     {write: apiError(504, "Timeout", "the request did not complete in time")},
	"api-late":        {acts: true, write: apiError(504, "Timeout", "the request did not complete in time")},
	"api-conflict":    {write: apiError(409, "Conflict", "the object has been modified")},
	"api-throttled":   {write: apiError(429, "TooManyRequests", "slow down", "Retry-After", "1")},
	"api-unavailable": {write: apiError(500, "InternalError", "etcdserver: leader changed")},
	"api-denied":      {write: apiError(403, "Forbidden", "admission webhook denied the request")},
}

// accepted is the answer of a broker that continues asynchronously.
const accepted = "202"

// outsideAnswers replace answers of brokers and receivers.
var outsideAnswers = map[string]answer{
	"hang":         {write: hang},
	"hang-after":   {acts: true, write: hang},
	"reset":        {},
	"lost":         {acts: true},
	"408":          {write: RespondWith(408, `{"description":"request timeout"}`)},
	"409":          {write: RespondWith(409, `{"description":"there is one already"}`)},
	"410":          {removes: true, write: RespondWith(410, `{}`)},
	"412":          {write: RespondWith(412, `{"description":"another version"}`)},
	"concurrency":  {write: RespondWith(422, `{"error":"ConcurrencyError","description":"another operation is in progress"}`)},
	"429":          {write: RespondWith(429, `{"description":"slow down"}`, "Retry-After", "1")},
	"500":          {write: echoRequest},
	"500-after":    {acts: true, write: RespondWith(500, `{"description":"oops"}`)},
	"502":          {write: RespondWith(502, `<html>Bad Gateway</html>`, "Content-Type", "text/html")},
	accepted:       {accepts: true, write: RespondWith(202, `{}`)},
	"in-progress":  {accepts: true, write: RespondWith(200, `{"state":"in progress"}`)},
	"empty":        {accepts: true, removes: true, write: RespondWith(200, ``)},
	"endless":      {accepts: true, write: writeEndlessly},
	"slow":         {accepts: true, write: writeSlowly},
	"redirect":     {write: RespondWith(307, ``, "Location", "http://127.0.0.1:9/")},
	"broken":       {accepts: true, write: RespondWith(200, `{"credentials":`)},
	"wrong-type":   {accepts: true, removes: true, write: RespondWith(200, `{"state":7,"credentials":"no","operation":{}}`)},
	"broken-after": {acts: true, write: RespondWith(200, `{"credentials":`)},
}

// statuses are the codes of gRPC that a notifier answers with instead of some of outsideAnswers, which no client of gRPC would understand. Those
// that are missing come from something in front of it.
var statuses = map[string]codes.Code{
	"408": codes.DeadlineExceeded, "409": codes.Aborted, "410": codes.NotFound, "412": codes.FailedPrecondition, "concurrency": codes.Aborted,
	"429": codes.ResourceExhausted, "500": codes.Internal, "500-after": codes.Unknown, "redirect": codes.Unimplemented,
}

// writeStatus ends a call of gRPC, with the credentials in the text: the operator must not pass them on.
func writeStatus(w http.ResponseWriter, r *http.Request, code codes.Code) {
	w.Header().Set("Content-Type", grpcType)
	w.Header().Set("Grpc-Status", strconv.Itoa(int(code)))
	w.Header().Set("Grpc-Message", "oops, "+r.Header.Get("Authorization"))
}

// grpcType is the media type of gRPC.
const grpcType = "application/grpc"

// echoRequest answers with the credentials and the body of the request: the operator must not pass them on.
func echoRequest(w http.ResponseWriter, r *http.Request) {
	_, password, _ := r.BasicAuth()
	body, _ := io.ReadAll(r.Body)
	text, err := json.Marshal(map[string]string{"description": "oops, " + password + " " + r.Header.Get("Authorization") + " " + string(body)})
	if err != nil {
		panic(err) // strings always encode
	}
	RespondWith(500, string(text))(w, r)
}

// writeEndlessly writes a body without end.
func writeEndlessly(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, `{"description":"`)
	for block := strings.Repeat("x", 4096); r.Context().Err() == nil; {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

// writeSlowly writes a byte at a time, without end.
func writeSlowly(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		Sleep(r.Context(), 200*time.Millisecond)
	}
}

// discardWriter is a response that no client reads.
type discardWriter struct{ header http.Header }

func (d discardWriter) Header() http.Header         { return d.header }
func (d discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (d discardWriter) WriteHeader(int)             {}
func (d discardWriter) Flush()                      {} // servers of gRPC need it

// AnswersAt returns the names of the answers that can replace those at a seam, sorted.
func AnswersAt(s Seam) []string {
	if s == SeamOutside {
		return slices.Sorted(maps.Keys(outsideAnswers))
	}
	return slices.Sorted(maps.Keys(apiAnswers))
}

// IsAnswer reports whether a kind of fault replaces an answer.
func IsAnswer(kind string) bool {
	_, a := apiAnswers[kind]
	_, b := outsideAnswers[kind]
	return a || b
}
