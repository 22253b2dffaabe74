// Package forge talks to the servers that repositories live on. So far it reads, from
// GitHub's REST API, what rules need to know of repositories that a pipeline uses.
//
// Invariant: every request is a GET below the one API address that the user gave,
// and every bound (requests, bytes, pages, time) holds whatever the server answers.
package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// PublicAPI is the address of github.com's REST API.
const PublicAPI = "https://api.github.com"

// Bounds of one request.
const (
	requestTime = 15 * time.Second
	maxResponse = 4 << 20 // bytes after decompression; 100 tags are 40 KB, 100 advisories 600 KB
	maxHeader   = 64 << 10
	maxHops     = 2 // redirects
	// maxFailures in a row, and the server counts as away.
	maxFailures = 3
	// maxTime is how long all requests of a run may take together.
	maxTime = 5 * time.Minute
	// maxPause is the longest that a server can keep us from asking again.
	maxPause = 24 * time.Hour
)

// Why a question stays without an answer.
var (
	errBudget  = errors.New("the budget of requests was spent")
	errLimited = errors.New("the forge's rate limit was reached")
	errToken   = errors.New("the forge refused the token, or wants one")
	errSlow    = errors.New("the forge answers too slowly")
	errAway    = errors.New("the forge could not be reached")
	errOdd     = errors.New("the forge's answer could not be used")
	errUnseen  = errors.New("the repository cannot be seen, as a private one without the right token")
	errRefused = errors.New("the forge refused the request")
)

// client makes requests. It is not for concurrent use: GitHub asks for one request at a
// time.
type client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
	now   func() time.Time

	left     int       // requests that may still be made
	made     int       // requests made
	failures int       // in a row
	until    time.Time // no request before
	started  time.Time // when the first request was made
	dead     error     // why no request is made any more
}

// newClient checks the address. A token is sent there and nowhere else, so it must be
// https, or this machine.
func newClient(c *Config) (*client, error) {
	api := c.API
	if api == "" {
		api = PublicAPI
	}
	u, err := url.Parse(strings.TrimRight(api, "/"))
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, &penstock.Error{Code: penstock.ExitUsage, Message: "the address of the forge's API is none", Hint: "GITHUB_API_URL looks like https://api.github.com or https://HOST/api/v3"}
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, &penstock.Error{Code: penstock.ExitUsage, Message: "the forge's API must be asked by https", Hint: "GITHUB_API_URL looks like https://api.github.com or https://HOST/api/v3"}
	}
	if strings.ContainsAny(c.Token, " \t\r\n") {
		return nil, &penstock.Error{Code: penstock.ExitUsage, Message: "the forge's token holds spaces or line breaks"}
	}
	transport := c.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone() // proxies of the environment
		t.MaxResponseHeaderBytes = maxHeader
		t.ResponseHeaderTimeout = requestTime
		transport = t
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return &client{
		base: u, token: c.Token, agent: "penstock/" + c.Version, left: c.Budget, now: now,
		http: &http.Client{
			Transport: transport, Timeout: requestTime,
			// A redirect says that a repository moved, which is an answer.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// response is what matters of an answer.
type response struct {
	status   int
	etag     string
	location string // a path below the API, of a redirect
	next     string // of the next page: its cursor or number, empty for none
	body     []byte
}

// get makes one request for a path below the API; etag is what is known already. A status
// other than 200, 304, 404, 422 and redirects is an error.
func (c *client) get(ctx context.Context, path, etag string) (*response, error) {
	switch {
	case c.dead != nil:
		return nil, c.dead
	case c.now().Before(c.until):
		return nil, errLimited
	case c.left <= 0:
		return nil, errBudget
	}
	if c.made == 0 {
		c.started = c.now()
	}
	if c.now().Sub(c.started) > maxTime {
		return nil, errSlow
	}
	c.left--
	c.made++
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOdd, err)
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, errAway)
	}
	defer res.Body.Close()
	c.limits(res)
	out := &response{status: res.StatusCode, etag: bounded(res.Header.Get("ETag"), 200)}
	switch s := res.StatusCode; {
	case s == http.StatusOK:
	case s == http.StatusNotModified && etag != "", s == http.StatusNotFound, s == http.StatusUnprocessableEntity:
		c.failures = 0
		return out, nil
	case s == http.StatusMovedPermanently || s == http.StatusFound || s == http.StatusTemporaryRedirect || s == http.StatusPermanentRedirect:
		c.failures = 0
		if out.location = c.below(res.Header.Get("Location")); out.location == "" {
			return nil, errOdd
		}
		return out, nil
	case s == http.StatusUnauthorized:
		c.dead = errToken
		return nil, errToken
	case c.now().Before(c.until): // 403 or 429
		return nil, errLimited
	case s == http.StatusForbidden || s == http.StatusUnavailableForLegalReasons || s == http.StatusConflict:
		c.failures = 0
		return nil, errRefused
	default:
		return nil, c.failed(ctx, errAway)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return nil, c.failed(ctx, errAway)
	}
	c.failures = 0
	if len(body) > maxResponse {
		return nil, errOdd
	}
	out.body, out.next = body, next(res.Header.Get("Link"))
	return out, nil
}

// failed counts a failure; a server that fails again and again is not asked any more.
func (c *client) failed(ctx context.Context, why error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.failures++; c.failures >= maxFailures {
		c.dead = why
	}
	return why
}

// limits reads what the server says about how often it may be asked. It is heeded:
// a scan does not wait, it does without.
func (c *client) limits(res *http.Response) {
	now := c.now()
	pause := func(d time.Duration) { c.until = now.Add(min(max(d, time.Second), maxPause)) }
	refused := res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusTooManyRequests
	if after, err := strconv.ParseInt(res.Header.Get("Retry-After"), 10, 32); err == nil && refused {
		pause(time.Duration(after) * time.Second)
		return
	}
	if res.Header.Get("X-RateLimit-Remaining") == "0" {
		reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
		if err != nil {
			reset = now.Add(time.Minute).Unix()
		}
		pause(time.Unix(reset, 0).Sub(now))
		return
	}
	if res.StatusCode == http.StatusTooManyRequests {
		pause(time.Minute)
	}
}

// below turns the address of a redirect into a path below the API, empty for any
// other place.
func (c *client) below(location string) string {
	u, err := c.base.Parse(location)
	if err != nil || len(location) > 1000 || u.Scheme != c.base.Scheme || u.Host != c.base.Host || u.User != nil {
		return ""
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath()+"/")
	if !ok || strings.Contains(path, "..") || strings.Contains(path, "%") {
		return ""
	}
	return "/" + path
}

// next reads from a Link header how the next page is asked for: by its cursor, or else
// its number. The address itself is not used: it could lead anywhere.
func next(link string) string {
	for part := range strings.SplitSeq(bounded(link, 4000), ",") {
		address, rel, ok := strings.Cut(part, ";")
		if !ok || !strings.Contains(rel, `rel="next"`) {
			continue
		}
		u, err := url.Parse(strings.Trim(address, " <>"))
		if err != nil {
			return ""
		}
		if after := u.Query().Get("after"); after != "" && len(after) <= 300 {
			return "after=" + url.QueryEscape(after)
		}
		if page, err := strconv.Atoi(u.Query().Get("page")); err == nil && page > 1 {
			return "page=" + strconv.Itoa(page)
		}
	}
	return ""
}

func bounded(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}

// decode reads a response as JSON.
func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return errOdd
	}
	return nil
}
