package pipeline

func gitlabTriggers(p *Pipeline) []Trigger { return nil }
