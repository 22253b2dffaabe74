package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"penstock"
	"penstock/internal/forge"
)

// openForge makes who asks the forge, nil where nobody may: the network is used only
// when the user says so, on the command line or in the environment, never because a file
// of the tree does.
func (a *app) openForge(s *settings, cache cacheSetup) (*forge.Resolver, error) {
	if !s.Scan.Online || s.Scan.Offline {
		return nil, nil
	}
	r, err := forge.New(forge.Config{
		API: a.env("GITHUB_API_URL"), Token: cmp.Or(a.env("GH_TOKEN"), a.env("GITHUB_TOKEN")),
		Budget: s.Pipeline.RequestBudget, CacheDir: cache.dir, CacheReadOnly: cache.readOnly, Version: version, Now: a.now,
	})
	if err != nil {
		return nil, fmt.Errorf("set up --online: %w", err)
	}
	return r, nil
}

// closeForge keeps what was found out, and says what was not.
func (a *app) closeForge(s *settings, r *forge.Resolver) []*penstock.Note {
	made, cached := r.Requests()
	a.verbose(s, "forge: %d requests, %d answers from the cache", made, cached)
	var notes []*penstock.Note
	left := r.Left()
	for _, why := range slices.Sorted(maps.Keys(left)) {
		notes = append(notes, &penstock.Note{
			Code: "online-left-out", Message: fmt.Sprintf("questions to the forge about actions without an answer: %d, because %s", left[why], why),
			Hint: "what they would have told is not checked; see docs/pipeline.md",
		})
	}
	if err := r.Close(); err != nil {
		notes = append(notes, &penstock.Note{Code: "cache", Message: "the forge's answers cannot be kept: " + reasonOf(err), Hint: "--no-cache turns it off"})
	}
	return notes
}
