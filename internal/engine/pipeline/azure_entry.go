package pipeline

// Events of Azure Pipelines, as the model and the table of semantics have them.
const (
	AzureCI          = "ci"       // a push
	AzurePullRequest = "pr"       // a pull request, of GitHub, Bitbucket or a branch policy
	AzureSchedule    = "schedule" // the clock
	AzureResource    = "resource" // another pipeline, repository, image, or a webhook
	AzureManual      = "manual"   // someone, with parameters
)
