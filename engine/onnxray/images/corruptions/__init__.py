"""Pictures made worse: noise, blur, weather and digital corruptions at five severities (Hendrycks, Dietterich 2019)."""
