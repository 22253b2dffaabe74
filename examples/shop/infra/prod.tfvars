region = "eu-central-1"
# aws_access_key and aws_secret_key come from the environment (TF_VAR_...)
# db_password comes from the environment
