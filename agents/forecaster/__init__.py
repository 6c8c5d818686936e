"""The forecaster forecasts load and critical windows (the room is kept; nothing stands in it yet)."""
