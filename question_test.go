package penstock

import (
	"strings"
	"testing"
)

func TestQuestionValid(t *testing.T) {
	sha := strings.Repeat("a1", 20)
	for _, c := range []struct {
		q    Question
		want bool
	}{
		{Question{Kind: AskRepository, Owner: "actions", Repo: "checkout"}, true},
		{Question{Kind: AskAdvisories, Owner: "a-b_c", Repo: ".github"}, true},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "release/v1.2+x"}, true},
		{Question{Kind: AskCommit, Owner: "o", Repo: "r", Ref: sha}, true},
		{Question{Kind: AskCommit, Owner: "o", Repo: "r", Ref: sha + sha[:24], Tag: "v1"}, true},

		{Question{}, false},
		{Question{Kind: "users", Owner: "o", Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: "o", Repo: "r", Ref: "x"}, false},
		{Question{Kind: AskRepository, Owner: "", Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: "-o", Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: "o/..", Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: strings.Repeat("o", 40), Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: "o", Repo: ".."}, false},
		{Question{Kind: AskRepository, Owner: "o", Repo: "r?x=1"}, false},
		{Question{Kind: AskRepository, Owner: "o", Repo: "r\n"}, false},
		{Question{Kind: AskRepository, Owner: "ö", Repo: "r"}, false},
		{Question{Kind: AskRepository, Owner: "o", Repo: strings.Repeat("r", 101)}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "../../user"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "a//b"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "a b"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "a?b"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: "v1.lock"}, false},
		{Question{Kind: AskRef, Owner: "o", Repo: "r", Ref: strings.Repeat("v", 251)}, false},
		{Question{Kind: AskCommit, Owner: "o", Repo: "r", Ref: "A" + sha[1:]}, false},
		{Question{Kind: AskCommit, Owner: "o", Repo: "r", Ref: sha[:39]}, false},
		{Question{Kind: AskCommit, Owner: "o", Repo: "r", Ref: sha, Tag: "a\x00"}, false},
	} {
		if got := c.q.Valid(); got != c.want {
			t.Errorf("%+v: valid %v", c.q, got)
		}
	}
}
