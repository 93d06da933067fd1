// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/version"
)

// exchange is a call: the request, and how the answer is read.
type exchange struct {
	operation Operation
	about     Params
	bindingID string
	query     []pair // beside the ids and accepts_incomplete
	body      any    // in place of the ids in the query; nil: none
	// required are values that must not be empty, beside the ids in the path.
	required []pair
	// version and etag are for a catalog; an empty version is the client's.
	version, etag string
	// id of the request that was sent last.
	id string
	// appSent and ofRemoval affect the meaning of the answer. ofRemoval is for polls.
	appSent, ofRemoval bool
	// read reads the body of a success. Its error names the field, without a value. Texts for people are redacted first.
	read func(a answer) error
	// tooLong returns the error of a body that was not read to its end; nil: it names no limit.
	tooLong func(*outbound.Response) error
}

type pair struct{ name, value string }

// answer is an answer that may be a success.
type answer struct {
	status int
	header http.Header
	body   []byte
	words  *cleaner
}

// do makes the call, and returns the result of read for an answer with content, otherwise the zero value.
func do[T any](ctx context.Context, c *Client, e *exchange, read func(answer) (T, error)) (T, osbresult.Outcome) {
	var found, none T
	e.read = func(a answer) (err error) { found, err = read(a); return err }
	start := c.now()
	out := c.ask(ctx, e)
	c.observe(ctx, Observation{e.operation, out, start, c.now().Sub(start), e.id})
	if out.Class != osbresult.Done && out.Class != osbresult.Accepted {
		return none, out
	}
	return found, out
}

// ask sends the request. It sends it once more if its OAuth2 token was refused and can be renewed, or, without the groups of the user, if its
// headers were too large (431). It does not repeat it if the caller may send nothing any more.
func (c *Client) ask(ctx context.Context, e *exchange) osbresult.Outcome {
	if e.version == "" {
		e.version = c.Version()
	}
	if problem := e.problem(); problem != "" {
		return osbresult.Outcome{Class: osbresult.Rejected, Description: "not sent: " + problem}
	}
	cred, failed := c.auth.authorize(ctx)
	if failed != nil {
		return *failed
	}
	resp, out := c.send(ctx, e, cred)
	if out.Status == http.StatusUnauthorized && cred.renewable && e.mayRepeat() {
		c.auth.drop(cred)
		if cred, failed = c.auth.authorize(ctx); failed != nil {
			return *failed
		}
		resp, out = c.send(ctx, e, cred)
	}
	if small := e.about.Identity.reduced(); out.Status == http.StatusRequestHeaderFieldsTooLarge && small != nil && e.mayRepeat() {
		e.about.Identity = small
		resp, out = c.send(ctx, e, cred)
	}
	if resp == nil {
		return out
	}
	return e.judge(resp, out, &cleaner{names: cred.names, credentials: cred.secrets, about: e.about.Secrets})
}

// mayRepeat reports whether the request may be sent again.
func (e *exchange) mayRepeat() bool { return e.about.MayRepeat == nil || e.about.MayRepeat() }

// problem returns why the request must not be sent; "": it may.
func (e *exchange) problem() string {
	ids := e.pathIDs()
	for _, field := range slices.Concat(e.required, ids) {
		if field.value == "" {
			return field.name + " must not be empty"
		}
	}
	for _, id := range ids {
		// A proxy may take them for the path of another resource.
		if id.value == "." || id.value == ".." {
			return "an id must be neither . nor .."
		}
	}
	return ""
}

// pathIDs are the ids in the path.
func (e *exchange) pathIDs() []pair {
	ids := []pair{{"instance_id", e.about.InstanceID}, {"binding_id", e.bindingID}}
	return slices.DeleteFunc(ids, func(id pair) bool { return !strings.Contains(operations[e.operation].path, "{"+id.name+"}") })
}

// send sends one request. Without an answer, the outcome is complete.
func (c *Client) send(ctx context.Context, e *exchange, cred credential) (*outbound.Response, osbresult.Outcome) {
	req, err := c.request(ctx, e, cred)
	if err != nil {
		return nil, osbresult.Outcome{Class: osbresult.Rejected, Description: "not sent: " + err.Error()}
	}
	client := c.client
	if e.is(lists) {
		client = c.catalog
	}
	resp, err := client.Do(ctx, req)
	if err != nil {
		return nil, e.unanswered(err)
	}
	return resp, osbresult.Outcome{Status: resp.StatusCode, Sent: true, Incomplete: resp.BodyErr != nil, RetryAfter: outbound.RetryAfter(resp.Header, c.now())}
}

// request builds the HTTP request. Its errors have nothing of the URL or the body.
func (c *Client) request(ctx context.Context, e *exchange, cred credential) (*http.Request, error) {
	var body []byte
	if e.body != nil {
		var err error
		if body, err = encode(e.body); err != nil {
			return nil, errors.New("parameters must be a JSON object")
		}
	}
	e.id = newGUID()
	req, err := http.NewRequestWithContext(ctx, operations[e.operation].method, c.target(e), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("url: is not valid")
	}
	req.Header.Set("X-Broker-API-Version", e.version)
	req.Header.Set("X-Broker-API-Request-Identity", e.id)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", version.UserAgent())
	if e.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if e.about.Identity != nil {
		req.Header.Set("X-Broker-API-Originating-Identity", e.about.Identity.header())
	}
	if cred.header != "" {
		req.Header.Set("Authorization", cred.header)
	}
	if e.etag != "" {
		req.Header.Set("If-None-Match", e.etag)
	}
	return req, nil
}

// target returns the URL of the call.
func (c *Client) target(e *exchange) string {
	path := operations[e.operation].path
	for _, id := range e.pathIDs() {
		path = strings.Replace(path, "{"+id.name+"}", escape(id.value), 1)
	}
	var query []pair
	if e.body == nil {
		query = e.about.ids()
	}
	if e.about.AcceptsIncomplete && !e.reads() {
		query = append(query, pair{"accepts_incomplete", "true"})
	}
	target, separator := c.base+"/v2/"+path, "?"
	for _, parameter := range append(query, e.query...) {
		if parameter.value != "" {
			target += separator + parameter.name + "=" + escape(parameter.value)
			separator = "&"
		}
	}
	return target
}

// escape escapes all but unreserved characters. A blank is %20: programs differ about "+".
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// encode encodes JSON; numbers stay as they are written.
func encode(body any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(body)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
