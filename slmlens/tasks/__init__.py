"""S3: recurring tasks from the skeletons of prompts."""
